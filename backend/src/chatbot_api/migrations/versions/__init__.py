"""One file a step; its revision is four digits, counting up, and it only adds: an older replica goes on beside a newer one."""
