The pattern `^\+?[0-9][0-9 ()-]{6,}$` matches phone numbers. Piece by piece:

[b]`^` and `$`[/b] — Meaning: the whole text
[b]`\+?`[/b] — Meaning: an optional plus
[b]`[0-9]`[/b] — Meaning: one digit
[b]`[0-9 ()-]{6,}`[/b] — Meaning: at least six digits, blanks, brackets or hyphens
[b]`a|b`[/b] — Meaning: [i]a[/i] or [i]b[/i] (not used here)

It accepts `+7 (495) 123-45-67` and `84951234567`, and refuses `123` or `phone`.

In JavaScript:

[code]const phone = /^\+?[0-9][0-9 ()-]{6,}$/;
console.log(phone.test("+7 (495) 123-45-67")); // true[/code]
