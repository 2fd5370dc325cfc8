a​b [​b]
