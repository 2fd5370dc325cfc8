Overall the change looks good 👍 A few comments:

1. [b]`src/cache.rs`, line 42[/b] — the lock is held across the network call. Better:
[code]let stale = { self.map.lock().unwrap().get(&key).cloned() };
match stale {
    Some(entry) if entry.is_fresh() => Ok(entry.value),
    _ => self.fetch(key),
}[/code]
2. [b]Naming[/b]: `do_it()` says nothing; maybe `refresh_expired()`?
3. [b]Tests[/b]: please add one for the empty key.
 ◦ what happens with `""`?
 ◦ and with a key of 10 000 characters?
4. Nit: `if x == true` → `if x`.

>>"Make it work, make it right, make it fast." — Kent Beck

[s]Also the version needs a bump.[/s] I see that is in another PR.
