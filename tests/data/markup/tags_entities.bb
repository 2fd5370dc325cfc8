[​b]x[​/b] [​USER=1] &amp;​#91;i] <​b>  ©—… &​unknown; & & AT&T
