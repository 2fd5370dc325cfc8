In the template replace

[code]<div class="price">{{ price }}&nbsp;&#8381;</div>[/code]

with

[code]<div class="price" title="[b]not bold[/b]">
  {{ price | number }}&nbsp;&#8381;
</div>[/code]

The tag `<b>` is only for looks; use `<strong>` for importance. An ampersand in text is written `&amp;amp;`, a less-than sign `&amp;lt;`.
Line two after a break.

Small print at the end.
