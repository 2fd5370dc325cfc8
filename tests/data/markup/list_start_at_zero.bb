0. zero
1. one
