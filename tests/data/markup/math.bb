Inline $a_1 * b$ and

$$
x^2
$$
