• one
 same item
• two
 same too
