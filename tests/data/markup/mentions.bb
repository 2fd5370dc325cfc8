[USER=12]Olaf Brandt[/USER], hello. all @all x
