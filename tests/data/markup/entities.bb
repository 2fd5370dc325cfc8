<​b> & [​b] © a &amp;​lt; b
