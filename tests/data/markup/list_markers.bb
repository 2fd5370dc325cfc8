• star
• star2

• plus
• plus2

• dash
• dash2
