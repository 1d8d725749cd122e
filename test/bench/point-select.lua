-- One point select a time, as text, on a table that the bench has filled.
sysbench.cmdline.options = {
  from = { "table to read from", "points" },
  connections = { "of each thread; every statement goes over one of them at random", 1 },
}

function thread_init()
  drv = sysbench.sql.driver()
  connections = {}
  for at = 1, sysbench.opt.connections do
    connections[at] = drv:connect()
  end
  statement = "SELECT c FROM " .. sysbench.opt.from .. " WHERE id = "
end

function event()
  local con = connections[sysbench.rand.uniform(1, #connections)]
  con:query(statement .. sysbench.rand.uniform(1, 1000))
end

function thread_done()
  for _, con in ipairs(connections) do
    con:disconnect()
  end
end
