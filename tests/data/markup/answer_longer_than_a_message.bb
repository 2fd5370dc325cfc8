[b]Log analysis[/b]

Below is every distinct error with its stack.

[b]1. `E1001` in module [i]billing_1[/i][/b]

It happened [b]3 times[/b], first at 2026-05-02. Probably the retry loop of `client_1` ignores `Retry-After`.

[code]Error: request 1 failed
  at send (client_1.js:10:5)
    at retry (retry.js:1:17)[/code]

Fix: see [url=https://git.example/app/issues/1]issue 1[/url] and set `max_retries = 1`.

[b]2. `E1002` in module [i]billing_2[/i][/b]

It happened [b]6 times[/b], first at 2026-05-03. Probably the retry loop of `client_2` ignores `Retry-After`.

[code]Error: request 2 failed
  at send (client_2.js:20:5)
    at retry (retry.js:2:17)[/code]

Fix: see [url=https://git.example/app/issues/2]issue 2[/url] and set `max_retries = 2`.

[b]3. `E1003` in module [i]billing_3[/i][/b]

It happened [b]9 times[/b], first at 2026-05-04. Probably the retry loop of `client_3` ignores `Retry-After`.

[code]Error: request 3 failed
  at send (client_3.js:30:5)
    at retry (retry.js:3:17)[/code]

Fix: see [url=https://git.example/app/issues/3]issue 3[/url] and set `max_retries = 3`.

[b]4. `E1004` in module [i]billing_4[/i][/b]

It happened [b]12 times[/b], first at 2026-05-05. Probably the retry loop of `client_4` ignores `Retry-After`.

[code]Error: request 4 failed
  at send (client_4.js:40:5)
    at retry (retry.js:4:17)[/code]

Fix: see [url=https://git.example/app/issues/4]issue 4[/url] and set `max_retries = 4`.

[b]5. `E1005` in module [i]billing_5[/i][/b]

It happened [b]15 times[/b], first at 2026-05-06. Probably the retry loop of `client_5` ignores `Retry-After`.

[code]Error: request 5 failed
  at send (client_5.js:50:5)
    at retry (retry.js:5:17)[/code]

Fix: see [url=https://git.example/app/issues/5]issue 5[/url] and set `max_retries = 5`.

[b]6. `E1006` in module [i]billing_6[/i][/b]

It happened [b]18 times[/b], first at 2026-05-07. Probably the retry loop of `client_6` ignores `Retry-After`.

[code]Error: request 6 failed
  at send (client_6.js:60:5)
    at retry (retry.js:6:17)[/code]

Fix: see [url=https://git.example/app/issues/6]issue 6[/url] and set `max_retries = 6`.

[b]7. `E1007` in module [i]billing_7[/i][/b]

It happened [b]21 times[/b], first at 2026-05-08. Probably the retry loop of `client_7` ignores `Retry-After`.

[code]Error: request 7 failed
  at send (client_7.js:70:5)
    at retry (retry.js:7:17)[/code]

Fix: see [url=https://git.example/app/issues/7]issue 7[/url] and set `max_retries = 7`.

[b]8. `E1008` in module [i]billing_8[/i][/b]

It happened [b]24 times[/b], first at 2026-05-09. Probably the retry loop of `client_8` ignores `Retry-After`.

[code]Error: request 8 failed
  at send (client_8.js:80:5)
    at retry (retry.js:8:17)[/code]

Fix: see [url=https://git.example/app/issues/8]issue 8[/url] and set `max_retries = 8`.

[b]9. `E1009` in module [i]billing_9[/i][/b]

It happened [b]27 times[/b], first at 2026-05-10. Probably the retry loop of `client_9` ignores `Retry-After`.

[code]Error: request 9 failed
  at send (client_9.js:90:5)
    at retry (retry.js:9:17)[/code]

Fix: see [url=https://git.example/app/issues/9]issue 9[/url] and set `max_retries = 9`.

[b]10. `E1010` in module [i]billing_10[/i][/b]

It happened [b]30 times[/b], first at 2026-05-11. Probably the retry loop of `client_10` ignores `Retry-After`.

[code]Error: request 10 failed
  at send (client_10.js:100:5)
    at retry (retry.js:10:17)[/code]

Fix: see [url=https://git.example/app/issues/10]issue 10[/url] and set `max_retries = 10`.

[b]11. `E1011` in module [i]billing_11[/i][/b]

It happened [b]33 times[/b], first at 2026-05-12. Probably the retry loop of `client_11` ignores `Retry-After`.

[code]Error: request 11 failed
  at send (client_11.js:110:5)
    at retry (retry.js:11:17)[/code]

Fix: see [url=https://git.example/app/issues/11]issue 11[/url] and set `max_retries = 11`.

[b]12. `E1012` in module [i]billing_12[/i][/b]

It happened [b]36 times[/b], first at 2026-05-13. Probably the retry loop of `client_12` ignores `Retry-After`.

[code]Error: request 12 failed
  at send (client_12.js:120:5)
    at retry (retry.js:12:17)[/code]

Fix: see [url=https://git.example/app/issues/12]issue 12[/url] and set `max_retries = 12`.

[b]13. `E1013` in module [i]billing_13[/i][/b]

It happened [b]39 times[/b], first at 2026-05-14. Probably the retry loop of `client_13` ignores `Retry-After`.

[code]Error: request 13 failed
  at send (client_13.js:130:5)
    at retry (retry.js:13:17)[/code]

Fix: see [url=https://git.example/app/issues/13]issue 13[/url] and set `max_retries = 13`.

[b]14. `E1014` in module [i]billing_14[/i][/b]

It happened [b]42 times[/b], first at 2026-05-15. Probably the retry loop of `client_14` ignores `Retry-After`.

[code]Error: request 14 failed
  at send (client_14.js:140:5)
    at retry (retry.js:14:17)[/code]

Fix: see [url=https://git.example/app/issues/14]issue 14[/url] and set `max_retries = 14`.

[b]15. `E1015` in module [i]billing_15[/i][/b]

It happened [b]45 times[/b], first at 2026-05-16. Probably the retry loop of `client_15` ignores `Retry-After`.

[code]Error: request 15 failed
  at send (client_15.js:150:5)
    at retry (retry.js:15:17)[/code]

Fix: see [url=https://git.example/app/issues/15]issue 15[/url] and set `max_retries = 15`.

[b]16. `E1016` in module [i]billing_16[/i][/b]

It happened [b]48 times[/b], first at 2026-05-17. Probably the retry loop of `client_16` ignores `Retry-After`.

[code]Error: request 16 failed
  at send (client_16.js:160:5)
    at retry (retry.js:16:17)[/code]

Fix: see [url=https://git.example/app/issues/16]issue 16[/url] and set `max_retries = 16`.

[b]17. `E1017` in module [i]billing_17[/i][/b]

It happened [b]51 times[/b], first at 2026-05-18. Probably the retry loop of `client_17` ignores `Retry-After`.

[code]Error: request 17 failed
  at send (client_17.js:170:5)
    at retry (retry.js:17:17)[/code]

Fix: see [url=https://git.example/app/issues/17]issue 17[/url] and set `max_retries = 17`.

[b]18. `E1018` in module [i]billing_18[/i][/b]

It happened [b]54 times[/b], first at 2026-05-19. Probably the retry loop of `client_18` ignores `Retry-After`.

[code]Error: request 18 failed
  at send (client_18.js:180:5)
    at retry (retry.js:18:17)[/code]

Fix: see [url=https://git.example/app/issues/18]issue 18[/url] and set `max_retries = 18`.

[b]19. `E1019` in module [i]billing_19[/i][/b]

It happened [b]57 times[/b], first at 2026-05-20. Probably the retry loop of `client_19` ignores `Retry-After`.

[code]Error: request 19 failed
  at send (client_19.js:190:5)
    at retry (retry.js:19:17)[/code]

Fix: see [url=https://git.example/app/issues/19]issue 19[/url] and set `max_retries = 19`.

[b]20. `E1020` in module [i]billing_20[/i][/b]

It happened [b]60 times[/b], first at 2026-05-21. Probably the retry loop of `client_20` ignores `Retry-After`.

[code]Error: request 20 failed
  at send (client_20.js:200:5)
    at retry (retry.js:20:17)[/code]

Fix: see [url=https://git.example/app/issues/20]issue 20[/url] and set `max_retries = 20`.

[b]21. `E1021` in module [i]billing_21[/i][/b]

It happened [b]63 times[/b], first at 2026-05-22. Probably the retry loop of `client_21` ignores `Retry-After`.

[code]Error: request 21 failed
  at send (client_21.js:210:5)
    at retry (retry.js:21:17)[/code]

Fix: see [url=https://git.example/app/issues/21]issue 21[/url] and set `max_retries = 21`.

[b]22. `E1022` in module [i]billing_22[/i][/b]

It happened [b]66 times[/b], first at 2026-05-23. Probably the retry loop of `client_22` ignores `Retry-After`.

[code]Error: request 22 failed
  at send (client_22.js:220:5)
    at retry (retry.js:22:17)[/code]

Fix: see [url=https://git.example/app/issues/22]issue 22[/url] and set `max_retries = 22`.

[b]23. `E1023` in module [i]billing_23[/i][/b]

It happened [b]69 times[/b], first at 2026-05-24. Probably the retry loop of `client_23` ignores `Retry-After`.

[code]Error: request 23 failed
  at send (client_23.js:230:5)
    at retry (retry.js:23:17)[/code]

Fix: see [url=https://git.example/app/issues/23]issue 23[/url] and set `max_retries = 23`.

[b]24. `E1024` in module [i]billing_24[/i][/b]

It happened [b]72 times[/b], first at 2026-05-25. Probably the retry loop of `client_24` ignores `Retry-After`.

[code]Error: request 24 failed
  at send (client_24.js:240:5)
    at retry (retry.js:24:17)[/code]

Fix: see [url=https://git.example/app/issues/24]issue 24[/url] and set `max_retries = 24`.

[b]25. `E1025` in module [i]billing_25[/i][/b]

It happened [b]75 times[/b], first at 2026-05-26. Probably the retry loop of `client_25` ignores `Retry-After`.

[code]Error: request 25 failed
  at send (client_25.js:250:5)
    at retry (retry.js:25:17)[/code]

Fix: see [url=https://git.example/app/issues/25]issue 25[/url] and set `max_retries = 25`.

[b]26. `E1026` in module [i]billing_26[/i][/b]

It happened [b]78 times[/b], first at 2026-05-27. Probably the retry loop of `client_26` ignores `Retry-After`.

[code]Error: request 26 failed
  at send (client_26.js:260:5)
    at retry (retry.js:26:17)[/code]

Fix: see [url=https://git.example/app/issues/26]issue 26[/url] and set `max_retries = 26`.

[b]27. `E1027` in module [i]billing_27[/i][/b]

It happened [b]81 times[/b], first at 2026-05-28. Probably the retry loop of `client_27` ignores `Retry-After`.

[code]Error: request 27 failed
  at send (client_27.js:270:5)
    at retry (retry.js:27:17)[/code]

Fix: see [url=https://git.example/app/issues/27]issue 27[/url] and set `max_retries = 27`.

[b]28. `E1028` in module [i]billing_28[/i][/b]

It happened [b]84 times[/b], first at 2026-05-01. Probably the retry loop of `client_28` ignores `Retry-After`.

[code]Error: request 28 failed
  at send (client_28.js:280:5)
    at retry (retry.js:28:17)[/code]

Fix: see [url=https://git.example/app/issues/28]issue 28[/url] and set `max_retries = 28`.

[b]29. `E1029` in module [i]billing_29[/i][/b]

It happened [b]87 times[/b], first at 2026-05-02. Probably the retry loop of `client_29` ignores `Retry-After`.

[code]Error: request 29 failed
  at send (client_29.js:290:5)
    at retry (retry.js:29:17)[/code]

Fix: see [url=https://git.example/app/issues/29]issue 29[/url] and set `max_retries = 29`.

[b]30. `E1030` in module [i]billing_30[/i][/b]

It happened [b]90 times[/b], first at 2026-05-03. Probably the retry loop of `client_30` ignores `Retry-After`.

[code]Error: request 30 failed
  at send (client_30.js:300:5)
    at retry (retry.js:30:17)[/code]

Fix: see [url=https://git.example/app/issues/30]issue 30[/url] and set `max_retries = 30`.

[b]31. `E1031` in module [i]billing_31[/i][/b]

It happened [b]93 times[/b], first at 2026-05-04. Probably the retry loop of `client_31` ignores `Retry-After`.

[code]Error: request 31 failed
  at send (client_31.js:310:5)
    at retry (retry.js:31:17)[/code]

Fix: see [url=https://git.example/app/issues/31]issue 31[/url] and set `max_retries = 31`.

[b]32. `E1032` in module [i]billing_32[/i][/b]

It happened [b]96 times[/b], first at 2026-05-05. Probably the retry loop of `client_32` ignores `Retry-After`.

[code]Error: request 32 failed
  at send (client_32.js:320:5)
    at retry (retry.js:32:17)[/code]

Fix: see [url=https://git.example/app/issues/32]issue 32[/url] and set `max_retries = 32`.

[b]33. `E1033` in module [i]billing_33[/i][/b]

It happened [b]99 times[/b], first at 2026-05-06. Probably the retry loop of `client_33` ignores `Retry-After`.

[code]Error: request 33 failed
  at send (client_33.js:330:5)
    at retry (retry.js:33:17)[/code]

Fix: see [url=https://git.example/app/issues/33]issue 33[/url] and set `max_retries = 33`.

[b]34. `E1034` in module [i]billing_34[/i][/b]

It happened [b]102 times[/b], first at 2026-05-07. Probably the retry loop of `client_34` ignores `Retry-After`.

[code]Error: request 34 failed
  at send (client_34.js:340:5)
    at retry (retry.js:34:17)[/code]

Fix: see [url=https://git.example/app/issues/34]issue 34[/url] and set `max_retries = 34`.

[b]35. `E1035` in module [i]billing_35[/i][/b]

It happened [b]105 times[/b], first at 2026-05-08. Probably the retry loop of `client_35` ignores `Retry-After`.

[code]Error: request 35 failed
  at send (client_35.js:350:5)
    at retry (retry.js:35:17)[/code]

Fix: see [url=https://git.example/app/issues/35]issue 35[/url] and set `max_retries = 35`.

[b]36. `E1036` in module [i]billing_36[/i][/b]

It happened [b]108 times[/b], first at 2026-05-09. Probably the retry loop of `client_36` ignores `Retry-After`.

[code]Error: request 36 failed
  at send (client_36.js:360:5)
    at retry (retry.js:36:17)[/code]

Fix: see [url=https://git.example/app/issues/36]issue 36[/url] and set `max_retries = 36`.

[b]37. `E1037` in module [i]billing_37[/i][/b]

It happened [b]111 times[/b], first at 2026-05-10. Probably the retry loop of `client_37` ignores `Retry-After`.

[code]Error: request 37 failed
  at send (client_37.js:370:5)
    at retry (retry.js:37:17)[/code]

Fix: see [url=https://git.example/app/issues/37]issue 37[/url] and set `max_retries = 37`.

[b]38. `E1038` in module [i]billing_38[/i][/b]

It happened [b]114 times[/b], first at 2026-05-11. Probably the retry loop of `client_38` ignores `Retry-After`.

[code]Error: request 38 failed
  at send (client_38.js:380:5)
    at retry (retry.js:38:17)[/code]

Fix: see [url=https://git.example/app/issues/38]issue 38[/url] and set `max_retries = 38`.

[b]39. `E1039` in module [i]billing_39[/i][/b]

It happened [b]117 times[/b], first at 2026-05-12. Probably the retry loop of `client_39` ignores `Retry-After`.

[code]Error: request 39 failed
  at send (client_39.js:390:5)
    at retry (retry.js:39:17)[/code]

Fix: see [url=https://git.example/app/issues/39]issue 39[/url] and set `max_retries = 39`.

[b]40. `E1040` in module [i]billing_40[/i][/b]

It happened [b]120 times[/b], first at 2026-05-13. Probably the retry loop of `client_40` ignores `Retry-After`.

[code]Error: request 40 failed
  at send (client_40.js:400:5)
    at retry (retry.js:40:17)[/code]

Fix: see [url=https://git.example/app/issues/40]issue 40[/url] and set `max_retries = 40`.

[b]41. `E1041` in module [i]billing_41[/i][/b]

It happened [b]123 times[/b], first at 2026-05-14. Probably the retry loop of `client_41` ignores `Retry-After`.

[code]Error: request 41 failed
  at send (client_41.js:410:5)
    at retry (retry.js:41:17)[/code]

Fix: see [url=https://git.example/app/issues/41]issue 41[/url] and set `max_retries = 41`.

[b]42. `E1042` in module [i]billing_42[/i][/b]

It happened [b]126 times[/b], first at 2026-05-15. Probably the retry loop of `client_42` ignores `Retry-After`.

[code]Error: request 42 failed
  at send (client_42.js:420:5)
    at retry (retry.js:42:17)[/code]

Fix: see [url=https://git.example/app/issues/42]issue 42[/url] and set `max_retries = 42`.

[b]43. `E1043` in module [i]billing_43[/i][/b]

It happened [b]129 times[/b], first at 2026-05-16. Probably the retry loop of `client_43` ignores `Retry-After`.
---8<---
[code]Error: request 43 failed
  at send (client_43.js:430:5)
    at retry (retry.js:43:17)[/code]

Fix: see [url=https://git.example/app/issues/43]issue 43[/url] and set `max_retries = 43`.

[b]44. `E1044` in module [i]billing_44[/i][/b]

It happened [b]132 times[/b], first at 2026-05-17. Probably the retry loop of `client_44` ignores `Retry-After`.

[code]Error: request 44 failed
  at send (client_44.js:440:5)
    at retry (retry.js:44:17)[/code]

Fix: see [url=https://git.example/app/issues/44]issue 44[/url] and set `max_retries = 44`.

[b]45. `E1045` in module [i]billing_45[/i][/b]

It happened [b]135 times[/b], first at 2026-05-18. Probably the retry loop of `client_45` ignores `Retry-After`.

[code]Error: request 45 failed
  at send (client_45.js:450:5)
    at retry (retry.js:45:17)[/code]

Fix: see [url=https://git.example/app/issues/45]issue 45[/url] and set `max_retries = 45`.

[b]46. `E1046` in module [i]billing_46[/i][/b]

It happened [b]138 times[/b], first at 2026-05-19. Probably the retry loop of `client_46` ignores `Retry-After`.

[code]Error: request 46 failed
  at send (client_46.js:460:5)
    at retry (retry.js:46:17)[/code]

Fix: see [url=https://git.example/app/issues/46]issue 46[/url] and set `max_retries = 46`.

[b]47. `E1047` in module [i]billing_47[/i][/b]

It happened [b]141 times[/b], first at 2026-05-20. Probably the retry loop of `client_47` ignores `Retry-After`.

[code]Error: request 47 failed
  at send (client_47.js:470:5)
    at retry (retry.js:47:17)[/code]

Fix: see [url=https://git.example/app/issues/47]issue 47[/url] and set `max_retries = 47`.

[b]48. `E1048` in module [i]billing_48[/i][/b]

It happened [b]144 times[/b], first at 2026-05-21. Probably the retry loop of `client_48` ignores `Retry-After`.

[code]Error: request 48 failed
  at send (client_48.js:480:5)
    at retry (retry.js:48:17)[/code]

Fix: see [url=https://git.example/app/issues/48]issue 48[/url] and set `max_retries = 48`.

[b]49. `E1049` in module [i]billing_49[/i][/b]

It happened [b]147 times[/b], first at 2026-05-22. Probably the retry loop of `client_49` ignores `Retry-After`.

[code]Error: request 49 failed
  at send (client_49.js:490:5)
    at retry (retry.js:49:17)[/code]

Fix: see [url=https://git.example/app/issues/49]issue 49[/url] and set `max_retries = 49`.

[b]50. `E1050` in module [i]billing_50[/i][/b]

It happened [b]150 times[/b], first at 2026-05-23. Probably the retry loop of `client_50` ignores `Retry-After`.

[code]Error: request 50 failed
  at send (client_50.js:500:5)
    at retry (retry.js:50:17)[/code]

Fix: see [url=https://git.example/app/issues/50]issue 50[/url] and set `max_retries = 50`.

[b]51. `E1051` in module [i]billing_51[/i][/b]

It happened [b]153 times[/b], first at 2026-05-24. Probably the retry loop of `client_51` ignores `Retry-After`.

[code]Error: request 51 failed
  at send (client_51.js:510:5)
    at retry (retry.js:51:17)[/code]

Fix: see [url=https://git.example/app/issues/51]issue 51[/url] and set `max_retries = 51`.

[b]52. `E1052` in module [i]billing_52[/i][/b]

It happened [b]156 times[/b], first at 2026-05-25. Probably the retry loop of `client_52` ignores `Retry-After`.

[code]Error: request 52 failed
  at send (client_52.js:520:5)
    at retry (retry.js:52:17)[/code]

Fix: see [url=https://git.example/app/issues/52]issue 52[/url] and set `max_retries = 52`.

[b]53. `E1053` in module [i]billing_53[/i][/b]

It happened [b]159 times[/b], first at 2026-05-26. Probably the retry loop of `client_53` ignores `Retry-After`.

[code]Error: request 53 failed
  at send (client_53.js:530:5)
    at retry (retry.js:53:17)[/code]

Fix: see [url=https://git.example/app/issues/53]issue 53[/url] and set `max_retries = 53`.

[b]54. `E1054` in module [i]billing_54[/i][/b]

It happened [b]162 times[/b], first at 2026-05-27. Probably the retry loop of `client_54` ignores `Retry-After`.

[code]Error: request 54 failed
  at send (client_54.js:540:5)
    at retry (retry.js:54:17)[/code]

Fix: see [url=https://git.example/app/issues/54]issue 54[/url] and set `max_retries = 54`.

[b]55. `E1055` in module [i]billing_55[/i][/b]

It happened [b]165 times[/b], first at 2026-05-28. Probably the retry loop of `client_55` ignores `Retry-After`.

[code]Error: request 55 failed
  at send (client_55.js:550:5)
    at retry (retry.js:55:17)[/code]

Fix: see [url=https://git.example/app/issues/55]issue 55[/url] and set `max_retries = 55`.

[b]56. `E1056` in module [i]billing_56[/i][/b]

It happened [b]168 times[/b], first at 2026-05-01. Probably the retry loop of `client_56` ignores `Retry-After`.

[code]Error: request 56 failed
  at send (client_56.js:560:5)
    at retry (retry.js:56:17)[/code]

Fix: see [url=https://git.example/app/issues/56]issue 56[/url] and set `max_retries = 56`.

[b]57. `E1057` in module [i]billing_57[/i][/b]

It happened [b]171 times[/b], first at 2026-05-02. Probably the retry loop of `client_57` ignores `Retry-After`.

[code]Error: request 57 failed
  at send (client_57.js:570:5)
    at retry (retry.js:57:17)[/code]

Fix: see [url=https://git.example/app/issues/57]issue 57[/url] and set `max_retries = 57`.

[b]58. `E1058` in module [i]billing_58[/i][/b]

It happened [b]174 times[/b], first at 2026-05-03. Probably the retry loop of `client_58` ignores `Retry-After`.

[code]Error: request 58 failed
  at send (client_58.js:580:5)
    at retry (retry.js:58:17)[/code]

Fix: see [url=https://git.example/app/issues/58]issue 58[/url] and set `max_retries = 58`.

[b]59. `E1059` in module [i]billing_59[/i][/b]

It happened [b]177 times[/b], first at 2026-05-04. Probably the retry loop of `client_59` ignores `Retry-After`.

[code]Error: request 59 failed
  at send (client_59.js:590:5)
    at retry (retry.js:59:17)[/code]

Fix: see [url=https://git.example/app/issues/59]issue 59[/url] and set `max_retries = 59`.

[b]60. `E1060` in module [i]billing_60[/i][/b]

It happened [b]180 times[/b], first at 2026-05-05. Probably the retry loop of `client_60` ignores `Retry-After`.

[code]Error: request 60 failed
  at send (client_60.js:600:5)
    at retry (retry.js:60:17)[/code]

Fix: see [url=https://git.example/app/issues/60]issue 60[/url] and set `max_retries = 60`.
