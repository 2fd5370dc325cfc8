[code]<b>&lt;x&gt; &amp;nbsp; &#91;b]</b>[/code]
