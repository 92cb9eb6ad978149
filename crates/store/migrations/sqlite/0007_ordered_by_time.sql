-- Lists of builds and deploys by the time at which they began or ended. Rows where there is no such time are together at
-- one end of each index, where they are found by it as well.
CREATE INDEX build_started ON build (account_seq, started, id);
CREATE INDEX build_completed ON build (account_seq, completed, id);
CREATE INDEX deploy_started ON deploy (account_seq, started, id);
CREATE INDEX deploy_completed ON deploy (account_seq, completed, id);
