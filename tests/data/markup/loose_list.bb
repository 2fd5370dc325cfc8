• one
 more of one
• two
