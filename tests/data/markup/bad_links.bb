x (javascript:alert(1)) y (data:text/html,hi) z (/relative) t (tg:​//join)
