-- One point select a time, as text, on the table that the bench has filled.
function thread_init()
  drv = sysbench.sql.driver()
  con = drv:connect()
end

function event()
  con:query("SELECT c FROM points WHERE id = " .. sysbench.rand.uniform(1, 1000))
end

function thread_done()
  con:disconnect()
end
