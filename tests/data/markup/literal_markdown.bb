2 * 3 = 6, snake_case stays, *​stars*​ and `​ticks`​ a|​b # not heading
