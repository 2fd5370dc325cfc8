-​ dash
+​ plus
>​ gt
1.​ one
