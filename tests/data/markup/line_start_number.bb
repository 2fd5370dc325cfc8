1986.​ A great year

2)​ b
