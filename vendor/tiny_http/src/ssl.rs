// Placeholder until the copy is hardened.
