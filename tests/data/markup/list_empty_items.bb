• a
• c

2. x
