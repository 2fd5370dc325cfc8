• a
• b
• c
• d
