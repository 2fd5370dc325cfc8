//! Every operation of Deliver and its promise, shown from outside: a gateway's calls in, what
//! employees see in the portal out, against the real executable. What goes wrong on the way is in
//! `counting`, what is refused in `errors` and `bad_deliver`.

mod media;
mod messages;
mod old_portals;
mod promise;
mod typing;
