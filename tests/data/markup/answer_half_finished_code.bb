Вот обновлённый обработчик. Я добавил проверку подписи и ограничил размер тела:

[code]func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
    body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
    if err != nil {
        http.Error(w, "too large", http.StatusRequestEntityTooLarge)
        return
    }
    mac := hmac.New(sha256.New, h.secret)
    mac.Write(body)
    if !hmac.Equal(mac.Sum(nil), signature(r)) {
        http.Error(w, "bad signature", http.StatusUnauth[/code]
