mod classify;
mod pushback;
mod replay;
mod status;
mod timeout;
