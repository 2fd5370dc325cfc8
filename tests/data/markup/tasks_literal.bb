[ ] alone, [x] alone

[ ] escaped
