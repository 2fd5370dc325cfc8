​# not​ heading [b]b​old[/b] [​url]
