Use `​foo and bar

next `ok` line
