Here's a `debounce` in plain JavaScript:

[code]export function debounce(fn, ms = 300) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
}[/code]

and in TypeScript, keeping the argument types:

[code]export function debounce<A extends unknown[]>(
  fn: (...args: A) => void,
  ms = 300,
): (...args: A) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
}[/code]

Usage in React:

[code]const search = useMemo(() => debounce(q => setQuery(q), 200), []);
return <input onChange={e => search(e.target.value)} />;[/code]

[b]Why `useMemo`?[/b] Without it a new debounced function is made on every render, so the timer is never shared.
