Intro:

• one
• two
 continued
 ◦ deep
  1. a
  2. b
• three

7. seven
8. eight
