[code]fn main() {}[/code]
