#​ not heading
-​--
+​ x
>​ y
-​ z
