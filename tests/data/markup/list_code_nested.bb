• outer
 ◦ inner
[code]if (a) {
  b();
}[/code]
 ◦ next
• last
