a
b

c
d
