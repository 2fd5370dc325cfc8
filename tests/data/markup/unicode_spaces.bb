a b c　d e 10 000 ₽
