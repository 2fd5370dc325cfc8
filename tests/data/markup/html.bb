a [b]bold[/b]
next kept  end

block [i]text[/i]
