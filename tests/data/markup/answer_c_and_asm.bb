The compiler turns this C

[code]#include <stdio.h>

int main(void) {
    int a[3] = {1, 2, 3};
    for (int i = 0; i < 3; i++)
        printf("%d%s", a[i], i < 2 ? ", " : "\n");
    return 0;
}[/code]

into roughly this (`gcc -O2 -S`):

[code]main:
    push    rbx
    xor    ebx, ebx
.L2:
    mov    esi, DWORD PTR a[rbx]
    lea    rdi, .LC0[rip]
    call    printf@PLT
    add    rbx, 4
    cmp    rbx, 12
    jne    .L2[/code]

Note that `a[​i]` becomes [i]base + index[/i] addressing, and `i` is never kept as such: `rbx` counts [b]bytes[/b].
