[s]one tilde[/s] and [s]two tildes[/s] and ~​~​~​three
