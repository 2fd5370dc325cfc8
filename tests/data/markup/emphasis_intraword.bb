snake_case_name, [b]init[/b] и foo[i]bar[/i]baz, 5[i]3[/i]2, a_b, file_name_v2.txt, слово_слово, un[b]frigging[/b]believable
