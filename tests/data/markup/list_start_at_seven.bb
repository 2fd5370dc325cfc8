7. seven
8. eight
9. nine
10. ten
