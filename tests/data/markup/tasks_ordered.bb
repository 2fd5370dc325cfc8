1. ☐ first
2. ☑ second
