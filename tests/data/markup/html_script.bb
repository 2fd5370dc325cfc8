Click here alert(1) done
