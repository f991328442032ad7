[
    ("org.apache.spark.api.python.PythonAccumulatorV2 new/1", "the sockets of the file system: workers.rs has its test"),
    ("org.apache.spark.api.python.PythonBroadcast", "only if local files are encrypted: encryption.rs has its test"),
    ("org.apache.spark.api.python.PythonParallelizeServer port/0", "programs of older releases: workers.rs has their test"),
    ("org.apache.spark.partial.PartialResult getFinalValue/0", "PySpark asks for the first value"),
    ("org.apache.spark.partial.PartialResult isInitialValueFinal/0", "PySpark asks for the first value"),
    ("org.apache.spark.security.SocketFuncServer getResult/0", "the server of an older release of PySpark"),
    ("org.apache.spark.sql.classic.SparkSession sparkContext/0", "programs of older releases: workers.rs has their test"),
    ("org.apache.spark.sql.classic.SparkSession sqlContext/0", "programs of older releases: workers.rs has their test"),
    ("scala.collection.JavaConverters", "programs of older releases: workers.rs has their test"),
]
