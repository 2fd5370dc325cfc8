1. Install:

[code]npm i[/code]

2. Run:

[code]npm start[/code]
