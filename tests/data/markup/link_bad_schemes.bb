a (ftp:​//a.example/x) b (file:​///etc/passwd) c (skype:me?call) d (vbscript:x) e (JAVASCRIPT:alert) f (#anchor) g (?q=1) h (page.html) i
