-- For wrk: 500 ms between two requests of a connection. A web server that makes a process for each takes tens of milliseconds of an emulated processor.
function delay()
	return 500
end
