if a < b and c > d then x <- y, 3<5, <3, a<=b, a->b, <не тег>
