1. one
2. two
3. ten
