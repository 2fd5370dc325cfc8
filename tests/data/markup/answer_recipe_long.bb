Sure, here is a checklist for onboarding a new colleague.

[b]Before the first day[/b]

☐ Create the account (IT, 2 days before)
 ☐ mail
 ☐ Bitrix24
 ☐ VPN
☐ Order a laptop
☑ Sign the contract

[b]First day[/b]

1. [b]09:30[/b] Welcome and tour
2. [b]10:00[/b] Accounts and passwords
 (the first log-in must be in the office)
3. [b]11:00[/b] Meet the team
4. [b]13:00[/b] Lunch 🍕

[b]First week[/b]

[b]Tue[/b] — Topic: Product; Who: Anna
[b]Wed[/b] — Topic: Processes; Who: Boris
[b]Thu[/b] — Topic: First task; Who: mentor
[b]Fri[/b] — Topic: Feedback, 16:00; Who: HR

—————

[i]Questions?[/i] Ask in the chat "New colleagues".
