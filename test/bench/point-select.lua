-- One point select a time, as text, on a table that the bench has filled.
sysbench.cmdline.options = {
  from = { "table to read from", "points" },
}

function thread_init()
  drv = sysbench.sql.driver()
  con = drv:connect()
  statement = "SELECT c FROM " .. sysbench.opt.from .. " WHERE id = "
end

function event()
  con:query(statement .. sysbench.rand.uniform(1, 1000))
end

function thread_done()
  con:disconnect()
end
