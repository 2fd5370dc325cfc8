a
b

• c
• d
